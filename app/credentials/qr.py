"""QR codes as pages show them. Pure."""

import segno

_SCALE = 4
_BORDER = 4  # modules, ISO/IEC 18004 §6.3.8


def png_data_uri(text: str) -> str:
    """Draw a text as a PNG, in a `data:` URI."""
    code = segno.make_qr(text, error="l", boost_error=False)
    return code.png_data_uri(scale=_SCALE, border=_BORDER)
