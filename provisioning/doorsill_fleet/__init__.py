"""What the fleet side needs: a small authority and a subscriber."""
