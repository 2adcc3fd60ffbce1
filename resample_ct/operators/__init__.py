"""What else can be measured of an image: degradations, linear and not; knows no network and no files."""
