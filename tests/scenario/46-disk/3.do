tool let-grow
