"""What makes programs fast and says nothing new: layouts, draws, what was looked at before."""
