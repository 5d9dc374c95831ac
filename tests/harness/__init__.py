"""What the flow and server tests share: processes, test servers, certmill runs, file checks."""
