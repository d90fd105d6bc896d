"""First-order methods that the thesis compares with: SGD with momentum, Adam, RMSprop."""
