"""The command line `arise`. Imports all other packages; none imports it."""
