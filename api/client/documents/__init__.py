"""What the service answers, as typed values. A member that a newer service adds is kept, and "inf" is a float."""
