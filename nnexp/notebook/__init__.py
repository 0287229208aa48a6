"""The draws, the order of draws and the data of the original notebook; nothing of it is elsewhere."""
