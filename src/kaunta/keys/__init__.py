"""The keyring's life: what needs which key, sealing it anew, giving a key up, and the copy for the worst day."""
