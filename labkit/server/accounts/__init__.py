"""Users, what they show to be let in, and what they may where. Of HTTP it knows headers and cookies."""
