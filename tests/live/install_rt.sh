#!/bin/sh
# A Request Tracker 5 of this computer's own, on port 8391, with the password "password" for root: Debian, as root, a minute.
set -eu
debconf-set-selections <<SEED
request-tracker5 request-tracker5/rtname string host.test
request-tracker5 request-tracker5/organization string host.test
request-tracker5 request-tracker5/initial-root-password password password
request-tracker5 request-tracker5/initial-root-password-again password password
request-tracker5 request-tracker5/install-cronjobs boolean false
SEED
DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
  request-tracker5 rt5-db-sqlite rt5-standalone rt5-clients
cat > /etc/request-tracker5/RT_SiteConfig.d/90-test.pm <<'PERL'
Set($WebDomain,'127.0.0.1'); Set($WebPort,8391); Set($WebPath,''); Set($WebBaseURL,'http://127.0.0.1:8391');
Set($MailCommand,'testfile'); Set($Timezone,'Europe/Berlin'); Set($LogToSyslog,''); 1;
PERL
/usr/share/request-tracker5/libexec/rt-server --host 127.0.0.1 --port 8391 > /tmp/rt-server.log 2>&1 &
perl -I/usr/share/request-tracker5/lib -MRT=-init -e '
  my $everyone = RT::Group->new(RT->SystemUser); $everyone->LoadSystemInternalGroup("Everyone");
  $everyone->PrincipalObj->GrantRight(Right => $_, Object => RT->System) for qw(CreateTicket ReplyToTicket SeeQueue);'
