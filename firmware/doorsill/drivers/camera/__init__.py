"""Where frames come from: a camera, a recording, a stand-in for either."""
