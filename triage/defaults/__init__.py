"""What a fresh hub starts with: word lists and rules of the field. People edit them in the console afterwards."""
