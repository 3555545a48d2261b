"""How far long work is: what works opens stages, whoever watches shows them."""
