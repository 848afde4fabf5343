"""What makes a card, at the controller's desk; no camera has it to hand."""
