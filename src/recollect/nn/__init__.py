"""The parts networks are made of: cells with a state that goes in and comes out, and what stands around them."""
