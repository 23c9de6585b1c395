"""What people read: figures and the table in the terminal."""
