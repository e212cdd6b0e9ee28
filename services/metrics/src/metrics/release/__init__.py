"""What is released about members to others: bounded contributions, noise that is paid for, and a ledger of the
payments."""
