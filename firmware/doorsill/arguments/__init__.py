"""What each command takes, declared apart from its work, so that help loads little."""
