"""How the page is served: launch settings that keep it offline, quiet and private."""


def launch_settings() -> dict:
    """Keyword arguments of `launch` on which privacy and security rest; how the page looks is `app.look`."""
    return {
        "footer_links": [],
        "run_history": False,
        "enable_monitoring": False,
        "ssr_mode": False,
        "mcp_server": False,
        "pwa": False,
        "max_file_size": "64mb",
        "quiet": True,
        "show_error": False,
        "prevent_thread_lock": True,
    }
