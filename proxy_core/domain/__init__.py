"""The neutral request, response and stream types that every format translates to and from."""
