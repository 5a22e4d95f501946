tool exit job 0
