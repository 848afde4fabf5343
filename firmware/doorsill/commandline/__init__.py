"""What all our command lines share: parser, help, values, exit codes, tables."""
