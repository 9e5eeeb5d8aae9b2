"""A stand-in for Safaricom: Daraja's HTTP interface, phones that ring, callbacks that arrive, are lost or come twice.

It is a program of its own, written from the published behaviour of Daraja and not from Kaunta's client, so that a
misreading of ours shows as a failing payment instead of being shared by both sides. It keeps everything in memory,
holds no secret and refuses production.
"""
