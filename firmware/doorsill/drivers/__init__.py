"""The only modules that import hardware libraries; the fakes ship here too."""
