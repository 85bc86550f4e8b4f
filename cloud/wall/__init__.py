"""The picture wall (画面墙): who looks at which camera now, and the last masked picture of each. Pictures are no evidence here."""
