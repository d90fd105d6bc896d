"""What methods share, each piece in one place: damping, quasi-Newton updates, tensor algebra, SMW, descent."""
