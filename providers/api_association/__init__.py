"""The service on associations that two providers speak through: their connection, its XML, and what it may answer.

The ministry of the interior (RNA) and the one in charge of associations (DJEPVA) publish what it says under their own
names and forms. It is no provider itself.
"""
