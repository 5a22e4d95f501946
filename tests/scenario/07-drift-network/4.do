tool flush-rules
