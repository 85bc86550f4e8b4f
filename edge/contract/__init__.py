"""The wire between edge and cloud: envelope, bodies, topics. Pure; both sides import it, it imports neither.

Every message is JSON, one `Envelope` around one body on the way up, one flat struct on the way down. Readers ignore
fields they do not know, so that an older reader understands a newer writer; a changed meaning needs a new `v`.
"""
