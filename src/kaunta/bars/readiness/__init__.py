"""Ready for real money: a bar's checklist, each item looked at by the program or said by a named person."""
