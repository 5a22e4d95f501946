tool plug gpu all -
