"""The fleet's broker: mosquitto, its files and its access list."""
