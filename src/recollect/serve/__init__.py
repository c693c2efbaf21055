"""The memory service: a durable journal of events, a memory of fixed size for each user, ranked lists at once."""
