"""What all doors have to agree on: core, ASE, command line and OVITO."""
