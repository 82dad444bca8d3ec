package modes
