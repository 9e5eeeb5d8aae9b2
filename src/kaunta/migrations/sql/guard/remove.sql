-- Takes the switch's guard away, and nothing else.
drop trigger if exists kaunta_guard_bars on bars;
drop trigger if exists kaunta_tell_switch on bars;
drop trigger if exists kaunta_guard_credentials on mpesa_credentials;
drop trigger if exists kaunta_guard_no_credentials on mpesa_credentials;
drop function if exists kaunta_guard_bars();
drop function if exists kaunta_tell_switch();
drop function if exists kaunta_guard_credentials();
drop function if exists kaunta_guard_no_credentials();
drop function if exists kaunta_mpesa_authority(bars.id%type, text);
