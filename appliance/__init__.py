"""The node: its configuration, drives and pools, root credentials, life and health.

Imports nothing above `packstone_engine`: how a command line or an HTTP server presents the node is the gateway's.
"""
