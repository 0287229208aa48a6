"""A recorded run trained again from its record alone, and compared with it bit for bit."""
