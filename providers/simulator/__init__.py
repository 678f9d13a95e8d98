"""The provider simulator: an application that serves what providers serve, over invented companies.

Everything in it is fictitious: companies, people, addresses, amounts. See `docs/reference/simulator.md`.
"""
