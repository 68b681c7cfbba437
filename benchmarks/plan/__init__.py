"""What a plan says, beside what runs of Tensaku take: memory and time of tuning and serving."""
