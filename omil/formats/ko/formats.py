"""Korean dates as Django has them, but 24 hours a day: what guards and films go by."""

DATETIME_FORMAT = "Y년 n월 j일 H:i"
SHORT_DATETIME_FORMAT = "Y-n-j H:i"
TIME_FORMAT = "H:i"
