tool leave-flows
