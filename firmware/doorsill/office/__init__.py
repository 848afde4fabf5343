"""What makes consent cards and signs policies, at a desk; no camera needs it."""
