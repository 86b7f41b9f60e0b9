"""A named watch over a scheduled run: did quality, price or speed get worse, and why? See `sentinel`."""
