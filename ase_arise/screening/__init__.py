"""Screening: recognise every structure of a database, a folder or a file, and keep the results in a database."""
