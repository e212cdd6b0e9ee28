"""What pages say, in English and Chinese, and how they write numbers, dates and money."""
