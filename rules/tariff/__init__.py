"""What a kWh costs and when: periods of the day, the kinds of days, and the charge for the highest demand."""
