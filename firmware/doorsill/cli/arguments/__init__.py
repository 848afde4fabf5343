"""What each command takes; read without loading what does its work."""
