"""The whole chain once on a real account, for real money: `make real-check`. No part of what is deployed."""
