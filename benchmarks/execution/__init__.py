"""A run: asked, charged, replayed, over the processes of this machine or a cluster; and its best trained again."""
