"""What every command line of ours shares: parser, help, values, endings, tables."""
